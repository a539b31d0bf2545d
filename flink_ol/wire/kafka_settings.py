"""Kafka client properties: the Java names that users know, as kafka-python's arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from flink_ol.wire.errors import WireError

Value = str | int | float | bool

_PLAIN: dict[str, tuple[str, Callable[[Value], Any]]] = {
    "client.id": ("client_id", str),
    "request.timeout.ms": ("request_timeout_ms", int),
    "security.protocol": ("security_protocol", str),
    "sasl.mechanism": ("sasl_mechanism", str),
    "ssl.ca.location": ("ssl_cafile", str),
    "ssl.certificate.location": ("ssl_certfile", str),
    "ssl.key.location": ("ssl_keyfile", str),
    "ssl.key.password": ("ssl_password", str),
}
_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
# for the Java clients alone: Python's own library takes care of these, or needs none of them
_JAVA_ONLY = {
    "ssl.protocol",
    "ssl.enabled.protocols",
    "ssl.provider",
    "ssl.truststore.type",
    "ssl.truststore.password",
    "ssl.keystore.type",
    "ssl.keystore.password",
    "ssl.trustmanager.algorithm",
    "ssl.keymanager.algorithm",
    "ssl.secure.random.implementation",
}
_LOGIN = re.compile(r'(username|password)\s*=\s*"((?:[^"\\]|\\.)*)"')


def no_answer(bootstrap_servers: str) -> str:
    """What is said where no broker can be reached, and what helps."""
    return (
        f"no Kafka broker answers at {bootstrap_servers}; start it (`flink-ol up` for a local "
        "one), or mend the address and the security properties"
    )


def client_arguments(bootstrap_servers: str, properties: Mapping[str, Value]) -> dict[str, Any]:
    """Keyword arguments for any kafka-python client.

    PEM stores (``ssl.truststore.type: PEM``) serve both worlds; for Java's own kinds of store
    ``ssl.ca.location``, ``ssl.certificate.location`` and ``ssl.key.location`` name PEM files for
    the Python clients beside them. Raises WireError for a security property that kafka-python has
    no counterpart for. Other Java properties (of the producer inside Flink, say) are left to the
    Java clients.
    """
    arguments: dict[str, Any] = {
        "bootstrap_servers": [server.strip() for server in bootstrap_servers.split(",")]
    }
    arguments |= _stores(properties)
    for key, value in properties.items():
        if key in _PLAIN:
            name, kind = _PLAIN[key]
            arguments[name] = _converted(key, value, kind)
        elif key == "ssl.endpoint.identification.algorithm":
            arguments["ssl_check_hostname"] = str(value) != ""
        elif key == "sasl.jaas.config":
            arguments |= _login(str(value))
        elif key.startswith(("ssl.", "sasl.")) and key not in _JAVA_ONLY | set(_STORES):
            raise _refused(key, "the Python clients have no counterpart for it; leave it out")
    _check_choice("security.protocol", properties, _PROTOCOLS)
    _check_choice("sasl.mechanism", properties, _MECHANISMS)
    if "sasl.mechanism" in properties and "sasl_plain_username" not in arguments:
        raise _refused("sasl.jaas.config", f"is missing; {_GIVE_LOGIN}")
    return arguments


# property of a Java store -> (that of its type, what a PEM file of it serves as, instead of it)
_STORES = {
    "ssl.truststore.location": ("ssl.truststore.type", ("ssl.ca.location",)),
    "ssl.keystore.location": (
        "ssl.keystore.type",
        ("ssl.certificate.location", "ssl.key.location"),
    ),
}


def _stores(properties: Mapping[str, Value]) -> dict[str, str]:
    """Arguments for the stores that are PEM files."""
    arguments: dict[str, str] = {}
    for store, (kind, instead) in _STORES.items():
        if store not in properties:
            continue
        if str(properties.get(kind, "JKS")).upper() == "PEM":
            arguments |= {_PLAIN[key][0]: str(properties[store]) for key in instead}
        elif not all(key in properties for key in instead):
            words = " and ".join(instead)
            raise _refused(
                store,
                f"Python clients read PEM files only; give {words} as well, or a PEM store "
                f"with {kind}: PEM",
            )
    return arguments


def _converted(key: str, value: Value, kind: Callable[[Value], Any]) -> Any:
    try:
        return kind(value)
    except ValueError:
        raise _refused(key, f"{value!r} is not allowed; give an integer") from None


def _check_choice(key: str, properties: Mapping[str, Value], choices: tuple[str, ...]) -> None:
    if key in properties and str(properties[key]) not in choices:
        raise _refused(
            key, f"{str(properties[key])!r} is not allowed; give one of {', '.join(choices)}"
        )


_GIVE_LOGIN = 'give ... required username="NAME" password="SECRET";'


def _login(config: str) -> dict[str, str]:
    found = dict(_LOGIN.findall(config))
    if found.keys() != {"username", "password"}:
        raise _refused(
            "sasl.jaas.config", f"Python clients log in by username and password; {_GIVE_LOGIN}"
        )
    return {
        "sasl_plain_username": re.sub(r"\\(.)", r"\1", found["username"]),
        "sasl_plain_password": re.sub(r"\\(.)", r"\1", found["password"]),
    }


def _refused(key: str, text: str) -> WireError:
    return WireError(f"kafka.properties.{key}: {text}")
