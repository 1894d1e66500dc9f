"""Turn an engine's output into signals: numbers per token that tell how certain the model is."""
