"""Wire formats: pure functions between JSON bodies and the library's nouns."""
