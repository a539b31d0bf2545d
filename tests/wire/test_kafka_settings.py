"""Java's names of client properties reach kafka-python, or are refused in words."""

from __future__ import annotations

from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer

from flink_ol.wire.errors import WireError
from flink_ol.wire.kafka_settings import client_arguments

_LOGIN = (
    "org.apache.kafka.common.security.scram.ScramLoginModule required "
    r'username="ann" password="a\"b\\c";'
)


def test_servers_are_a_list() -> None:
    assert client_arguments("a:1, b:2", {}) == {"bootstrap_servers": ["a:1", "b:2"]}


def test_a_login_over_tls_is_translated() -> None:
    arguments = client_arguments(
        "a:1",
        {
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "SCRAM-SHA-512",
            "sasl.jaas.config": _LOGIN,
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": "/ca.pem",
            "ssl.endpoint.identification.algorithm": "",
            "request.timeout.ms": "5000",
        },
    )
    del arguments["bootstrap_servers"]
    assert arguments == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "ann",
        "sasl_plain_password": 'a"b\\c',
        "ssl_cafile": "/ca.pem",
        "ssl_check_hostname": False,
        "request_timeout_ms": 5000,
    }


def test_client_certificates_are_translated() -> None:
    java = {"ssl.keystore.location": "/k.jks", "ssl.keystore.password": "p"}
    python = {
        "ssl.certificate.location": "/c.pem",
        "ssl.key.location": "/k.pem",
        "ssl.key.password": "q",
    }
    arguments = client_arguments("a:1", {**java, **python})
    assert arguments["ssl_certfile"] == "/c.pem"
    assert (arguments["ssl_keyfile"], arguments["ssl_password"]) == ("/k.pem", "q")
    pem = {"ssl.keystore.location": "/both.pem", "ssl.keystore.type": "PEM"}
    assert client_arguments("a:1", pem)["ssl_keyfile"] == "/both.pem"


def test_properties_of_producers_inside_flink_are_left_to_them() -> None:
    properties: dict[str, Any] = {"linger.ms": 5, "acks": "all", "ssl.truststore.password": "x"}
    assert set(client_arguments("a:1", properties)) == {"bootstrap_servers"}


@pytest.mark.parametrize(
    ("properties", "words"),
    [
        ({"ssl.truststore.location": "/t.jks"}, "give ssl.ca.location as well"),
        ({"ssl.keystore.location": "/k.jks", "ssl.key.location": "/k"}, "ssl.certificate.location"),
        ({"sasl.mechanism": "GSSAPI"}, "'GSSAPI' is not allowed; give one of PLAIN"),
        ({"sasl.mechanism": "PLAIN"}, "sasl.jaas.config: is missing"),
        ({"sasl.jaas.config": "x required;"}, "log in by username and password"),
        ({"security.protocol": "TLS"}, "'TLS' is not allowed; give one of PLAINTEXT, SSL"),
        ({"sasl.login.class": "x"}, "kafka.properties.sasl.login.class: .* no counterpart"),
        ({"request.timeout.ms": "soon"}, "'soon' is not allowed; give an integer"),
    ],
)
def test_what_cannot_be_translated_is_refused(properties: dict[str, Any], words: str) -> None:
    with pytest.raises(WireError, match=words):
        client_arguments("a:1", properties)


def test_no_refusal_tells_a_secret() -> None:
    with pytest.raises(WireError) as raised:
        client_arguments("a:1", {"sasl.jaas.config": 'required pass="hunter2";'})
    assert "hunter2" not in str(raised.value)


def test_every_argument_is_one_that_kafka_python_knows() -> None:
    arguments = client_arguments(
        "a:1",
        {
            "client.id": "me",
            "request.timeout.ms": 1,
            "security.protocol": "SASL_SSL",
            "sasl.mechanism": "PLAIN",
            "sasl.jaas.config": _LOGIN,
            "ssl.ca.location": "a",
            "ssl.certificate.location": "b",
            "ssl.key.location": "c",
            "ssl.key.password": "d",
            "ssl.endpoint.identification.algorithm": "https",
        },
    )
    assert arguments.keys() <= KafkaConsumer.DEFAULT_CONFIG.keys()
    assert arguments.keys() <= KafkaProducer.DEFAULT_CONFIG.keys()
