"""How far a share could lie elsewhere, from counts alone."""

# Of a standard normal, leaving 2.5 % out at either side.
_Z = 1.959963984540054


def wilson(n_found: int, n: int) -> tuple[float, float]:
    """Return the 95 % score interval of a share, 0..1, of which n_found of n were seen.

    (p + z²/2n ± z √(p(1 − p)/n + z²/4n²)) / (1 + z²/n), which stays within 0..1 and has a width even where none or all
    were seen: Wilson, Probable inference, the law of succession, and statistical inference (1927).
    Raises ValueError unless 0 ≤ n_found ≤ n and n ≥ 1.
    """
    if not 0 <= n_found <= n or n < 1:
        raise ValueError(f"expected 0 ≤ n_found ≤ n and n ≥ 1, received {n_found} of {n}")
    share, square = n_found / n, _Z**2
    middle = share + square / (2 * n)
    spread = _Z * (share * (1 - share) / n + square / (4 * n**2)) ** 0.5
    return max(0.0, (middle - spread) / (1 + square / n)), min(1.0, (middle + spread) / (1 + square / n))
