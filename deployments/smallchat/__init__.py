"""The small chat checkpoint that ships as a recipe: a Qwen3 of four layers, made on the machine that serves it."""
