"""Small servers that stand beside Polyphony: a bare Ray hop, an upstream, a pass-through."""
