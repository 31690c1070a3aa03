"""The Django admin as an educator uses it: log in, choose a sitting, an action, say yes."""

import re
from typing import Self

import httpx

TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="([^"]+)"')
ROW = re.compile(r'name="_selected_action" value="([^"]+)".*?<a href="[^"]*">([^<]+)</a>', re.DOTALL)
SITTINGS = "/admin/sittings/sitting/"


class AdminError(Exception):
    """The admin did not do what was asked of it."""


class Admin:
    """A browser's session with the admin, through the gateway."""

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
        """Log in as a person would."""
        page = self._http.get("/admin/login/")
        body = {"username": username, "password": password, "next": "/admin/", "csrfmiddlewaretoken": _token(page)}
        answer = self._http.post("/admin/login/", data=body)
        if answer.status_code != httpx.codes.FOUND:
            raise AdminError(f"{username} could not log in: {answer.status_code}")

    def sittings(self) -> dict[str, str]:
        """The sittings that are listed: their keys by name."""
        page = self._http.get(SITTINGS)
        return {name.strip(): key for key, name in ROW.findall(page.text)}

    def act(self, action: str, sitting: str) -> str:
        """Choose an action for a sitting, and say yes where that is asked; the page that comes back."""
        page = self._http.get(SITTINGS)
        body = {"action": action, "_selected_action": self.sittings()[sitting], "csrfmiddlewaretoken": _token(page)}
        answer = self._http.post(SITTINGS, data=body)
        if 'name="confirmed"' in answer.text:
            answer = self._http.post(SITTINGS, data={**body, "confirmed": "yes", "csrfmiddlewaretoken": _token(answer)})
        if answer.status_code != httpx.codes.FOUND:
            raise AdminError(f"{action} of {sitting}: {answer.status_code}\n{answer.text[:500]}")
        return self._http.get(SITTINGS).text


def _token(page: httpx.Response) -> str:
    found = TOKEN.search(page.text)
    if found is None:
        raise AdminError(f"{page.url} has no form: {page.status_code}")
    return found[1]
