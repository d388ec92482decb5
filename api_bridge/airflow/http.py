"""Requests to Airflow's server: one pooled session, one token."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from typing import Any

import requests
from requests.adapters import HTTPAdapter

from automations.errors import OrchestratorError, OrchestratorUnavailable
from automations.settings import Settings

CONFLICT: dict[str, Any] = {}
"""Stands for an answer that says that something is otherwise than the request takes it to be."""
_TIMEOUT = (3.05, 30)
"""Seconds to connect, a little over TCP's first repeat, and to be answered."""
_POOL_SIZE = 16
_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
"""By which variables a file of certificates is named."""


class AirflowHttp:
    """What is asked of Airflow as the bridge's user; safe to share by threads.

    Args:
        token: by which that is signed in; None as long as it is not.
    """

    def __init__(self, settings: Settings) -> None:
        self._base = settings.airflow_base
        self._user = {"username": settings.airflow_username, "password": settings.airflow_password}
        self._lock = threading.Lock()
        self.token: str | None = None
        self._http = requests.Session()
        # A .netrc entry or a proxy of the environment must not replace the token.
        self._http.trust_env = False
        # What signs the certificates of a house's own servers is still to be believed.
        self._http.verify = next(filter(None, map(os.environ.get, _AUTHORITIES)), True)
        adapter = HTTPAdapter(pool_connections=1, pool_maxsize=_POOL_SIZE, max_retries=1)
        self._http.mount("http://", adapter)
        self._http.mount("https://", adapter)

    def close(self) -> None:
        """Close the connections that are kept."""
        self._http.close()

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        params: Mapping[str, Any] | None = None,
        missing_ok: bool = False,
        conflict_ok: bool = False,
    ) -> dict[str, Any] | None:
        """What the REST API answers.

        Args:
            missing_ok: answer None for what is not there.
            conflict_ok: answer ``CONFLICT`` for what is otherwise.

        Raises:
            OrchestratorUnavailable: it may be asked again.
            OrchestratorError: it refuses.
        """
        response = self.send(method, f"/api/v2{path}", body, params)
        if response.status_code == 404 and missing_ok:
            return None
        if response.status_code == 409 and conflict_ok:
            return CONFLICT
        if response.status_code >= 500 or response.status_code in (401, 429):
            raise OrchestratorUnavailable(f"Airflow answered {response.status_code} to {path}.")
        if response.status_code >= 400:
            raise OrchestratorError(
                f"Airflow refused {method} {path}: {response.status_code} {response.text[:300]}"
            )
        answer: dict[str, Any] = response.json() if response.content else {}
        return answer

    def call_plugin(self, method: str, path: str, body: Any = None) -> requests.Response:
        """What a route of our plugin's in Airflow's server answers."""
        response = self.send(method, path, body)
        if response.status_code != 200:
            raise OrchestratorError(f"Airflow refuses {path}: {response.status_code}")
        return response

    def send(
        self, method: str, path: str, body: Any = None, params: Mapping[str, Any] | None = None
    ) -> requests.Response:
        """Any answer of Airflow's server, with a new token where the old one is over."""
        response = self._request(method, path, body, params)
        if response.status_code == 401:
            self._forget_token()
            response = self._request(method, path, body, params)
        return response

    def _request(
        self, method: str, path: str, body: Any, params: Mapping[str, Any] | None
    ) -> requests.Response:
        try:
            return self._http.request(
                method,
                f"{self._base}{path}",
                json=body,
                params=params,
                headers={"Authorization": f"Bearer {self._bearer()}"},
                timeout=_TIMEOUT,
            )
        except requests.RequestException as error:
            raise OrchestratorUnavailable(f"Airflow cannot be reached: {error}") from error

    def _bearer(self) -> str:
        with self._lock:
            if self.token is None:
                answer = self._http.post(
                    f"{self._base}/auth/token", json=self._user, timeout=_TIMEOUT
                )
                if answer.status_code != 201:
                    raise OrchestratorUnavailable(
                        f"Airflow refused the bridge's user: {answer.status_code}"
                    )
                self.token = str(answer.json()["access_token"])
            return self.token

    def _forget_token(self) -> None:
        with self._lock:
            self.token = None
