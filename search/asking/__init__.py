"""A search from what is asked to what is shown: with what, in which datasets, and the answer for pages and programs."""
