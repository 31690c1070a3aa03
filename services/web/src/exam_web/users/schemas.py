"""Bodies of requests and responses about people."""

from ninja import Field, Schema


class Credentials(Schema):
    """A name and a password."""

    username: str = Field(max_length=150)
    password: str = Field(max_length=1000)


class RefreshToken(Schema):
    """A refresh token."""

    refresh: str


class AnyToken(Schema):
    """An access token."""

    token: str


class TokenPair(Schema):
    """What a login gives; `expires_in` in seconds."""

    access: str
    refresh: str
    token_type: str = "Bearer"  # noqa: S105 - RFC 6750's word
    expires_in: int


class Me(Schema):
    """Whoever asks."""

    id: int
    username: str
    name: str
    kind: str
    level: str | None
