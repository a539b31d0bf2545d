"""Kafka client properties: the Java names that users know, as kafka-python's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flink_ol.wire.errors import WireError

Value = str | int | float | bool

_SAME: dict[str, Callable[[Value], Any]] = {
    "client.id": str,
    "request.timeout.ms": int,
    "security.protocol": str,
    "sasl.mechanism": str,
    "sasl.kerberos.service.name": str,
}
_RENAMED: dict[str, str] = {
    "ssl.ca.location": "ssl_cafile",
    "ssl.certificate.location": "ssl_certfile",
    "ssl.key.location": "ssl_keyfile",
    "ssl.key.password": "ssl_password",
}
_JAVA_ONLY = {
    "ssl.truststore.location": "ssl.ca.location (a PEM file; with ssl.truststore.type PEM the "
    "same file serves both)",
    "ssl.keystore.location": "ssl.certificate.location and ssl.key.location (PEM files)",
}
_LOGIN = re.compile(r'(username|password)\s*=\s*"((?:[^"\\]|\\.)*)"')


def client_arguments(bootstrap_servers: str, properties: Mapping[str, Value]) -> dict[str, Any]:
    """Keyword arguments for any kafka-python client.

    Raises WireError for a security property that kafka-python has no counterpart for. Other Java
    properties (of the producer inside Flink, say) are left to the Java clients.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in bootstrap_servers.split(",")]
    }
    for key, value in properties.items():
        if key in _SAME:
            arguments[key.replace(".", "_")] = _SAME[key](value)
        elif key in _RENAMED:
            arguments[_RENAMED[key]] = str(value)
        elif key == "ssl.endpoint.identification.algorithm":
            arguments["ssl_check_hostname"] = str(value) != ""
        elif key == "sasl.jaas.config":
            arguments |= _login(str(value))
    for key, instead in _JAVA_ONLY.items():
        if key in properties and not properties.keys() & _RENAMED.keys():
            raise WireError(
                f"kafka.properties.{key}: Python clients cannot read it; give {instead} as well"
            )
    return arguments


def _login(config: str) -> dict[str, str]:
    found = dict(_LOGIN.findall(config))
    if found.keys() != {"username", "password"}:
        raise WireError(
            "kafka.properties.sasl.jaas.config: Python clients log in by username and password; "
            'give ... required username="NAME" password="SECRET";'
        )
    return {
        "sasl_plain_username": re.sub(r"\\(.)", r"\1", found["username"]),
        "sasl_plain_password": re.sub(r"\\(.)", r"\1", found["password"]),
    }
