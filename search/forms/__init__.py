"""What visitors may ask: each field checked once, each refusal a sentence with a code."""
