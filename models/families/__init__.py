"""Question families: each module draws questions and checks answers to them.

A family offers `draw(rng) -> Question` and `is_correct(question, text) -> bool`, both pure.
"""
