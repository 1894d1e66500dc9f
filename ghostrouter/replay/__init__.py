"""The seam: hold-back, rollback, the way across tokenizers, and the session that lives through it all."""
