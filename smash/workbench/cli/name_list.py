"""Lists of names as options hold them."""


def name_list(text: str) -> tuple[str, ...]:
    """Returns the names between commas, blanks around them left out.

    >>> name_list("etas, poisson,")
    ('etas', 'poisson')
    """
    return tuple(part.strip() for part in text.split(",") if part.strip())
