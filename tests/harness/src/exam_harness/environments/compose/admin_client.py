"""A client of the Django admin that uses its forms as an educator does in a browser."""

import re
from typing import Self

import httpx

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
ROW = re.compile(r'name="_selected_action" value="([^"]+)".*?<a href="[^"]*">([^<]+)</a>', re.DOTALL)
SITTINGS = "/admin/sittings/sitting/"


class AdminError(Exception):
    """The admin did not perform an action."""


class AdminClient:
    """A session with the admin through the gateway."""

    def __init__(self, port: int) -> None:
        self._http = httpx.Client(
            base_url=f"http://127.0.0.1:{port}",
            headers={"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}"},
            trust_env=False,
            timeout=30,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def log_in(self, username: str, password: str) -> None:
        """Log in with the login form."""
        page = self._http.get("/admin/login/")
        body = {"username": username, "password": password, "next": "/admin/", "csrfmiddlewaretoken": _token(page)}
        response = self._http.post("/admin/login/", data=body)
        if response.status_code != httpx.codes.FOUND:
            raise AdminError(f"login of {username} failed: {response.status_code}")

    def sittings(self) -> dict[str, str]:
        """Return the keys of the listed sittings by name."""
        page = self._http.get(SITTINGS)
        return {name.strip(): key for key, name in ROW.findall(page.text)}

    def act(self, action: str, sitting: str) -> str:
        """Run an admin action on a sitting, confirm it if required, and return the resulting page."""
        page = self._http.get(SITTINGS)
        body = {"action": action, "_selected_action": self.sittings()[sitting], "csrfmiddlewaretoken": _token(page)}
        response = self._http.post(SITTINGS, data=body)
        if 'name="confirmed"' in response.text:
            response = self._http.post(
                SITTINGS, data={**body, "confirmed": "yes", "csrfmiddlewaretoken": _token(response)}
            )
        if response.status_code != httpx.codes.FOUND:
            raise AdminError(f"{action} of {sitting}: {response.status_code}\n{response.text[:500]}")
        return self._http.get(SITTINGS).text


def _token(page: httpx.Response) -> str:
    match = TOKEN.search(page.text)
    if match is None:
        raise AdminError(f"{page.url} has no CSRF token: {page.status_code}")
    return match[1]
