"""The client's address."""

from starlette.requests import Request


def client_address(request: Request) -> str:
    """Return the last entry of X-Forwarded-For, which the gateway adds; earlier ones may be forged.

    Without the header, which only requests that bypass the gateway lack, the address of the connection.
    """
    forwarded = request.headers.getlist("x-forwarded-for")
    if forwarded:
        return forwarded[-1].rsplit(",", 1)[-1].strip()
    return "" if request.client is None else request.client.host
