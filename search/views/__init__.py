"""The pages. Each view reads its input, calls one function and shows the result."""
