"""Conditional requests and content negotiation (RFC 9110): whether a body is sent, and in which encoding."""


def etag_matches(if_none_match: str | None, tag: str) -> bool:
    """Whether If-None-Match contains the tag; weak and strong tags compare alike."""
    if if_none_match is None:
        return False
    tags = {entry.strip().removeprefix("W/").strip('"') for entry in if_none_match.split(",")}
    return tag in tags or "*" in tags


def accepts_gzip(accept_encoding: str | None) -> bool:
    """Whether a client accepts gzip: by name or by ``*``, and not with weight 0."""
    weights: dict[str, float] = {}
    for entry in (accept_encoding or "").lower().split(","):
        coding, *parameters = (part.strip() for part in entry.split(";"))
        weights[coding] = _weight(parameters)
    return weights.get("gzip", weights.get("x-gzip", weights.get("*", 0.0))) > 0


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
