"""Bodies of requests and responses about users."""

from ninja import Field, Schema


class Credentials(Schema):
    """A username and a password; `code` is that of the authenticator app, for those who have enrolled one."""

    username: str = Field(max_length=150)
    password: str = Field(max_length=1000)
    code: str = Field("", max_length=32)


class RefreshToken(Schema):
    """A refresh token."""

    refresh: str


class TokenPair(Schema):
    """The tokens of a login; `expires_in` in seconds."""

    access: str
    refresh: str
    token_type: str = "Bearer"  # noqa: S105 - the token type of RFC 6750
    expires_in: int


class Me(Schema):
    """The current user."""

    id: int
    username: str
    name: str
    kind: str
    level: str | None
