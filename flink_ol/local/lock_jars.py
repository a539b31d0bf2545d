"""Resolves the jars of the local stack anew and prints jars.lock: `make lock-jars`."""

import tempfile
from pathlib import Path

from flink_ol.local.jars import sha256_of

ROOTS = {
    "broker": [
        "org.apache.kafka:kafka_2.13:4.2.0",
        "org.apache.logging.log4j:log4j-slf4j-impl:2.25.3",  # of the log4j that Kafka comes with
    ],
    "connector": ["org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2"],
}


def main() -> None:
    from jgo.maven import Dependency, MavenContext

    print("# Made by `make lock-jars`: SET GROUP:ARTIFACT:VERSION SHA256")
    with tempfile.TemporaryDirectory() as folder:
        context = MavenContext(repo_cache=Path(folder), local_repos=[], timeout=60)
        for name, roots in ROOTS.items():
            dependencies = []
            for root in roots:
                group, artifact, version = root.split(":")
                found = context.project(group, artifact).at_version(version).artifact()
                # raw: otherwise log4j's dependency management also rules over Kafka's
                # dependencies and puts kafka-clients 3.9 beside the 4.2 broker.
                dependencies.append(Dependency(found, scope="runtime", raw=True))
            inputs, transitive = context.resolver.resolve(dependencies)
            lines = {
                f"{name} {jar.groupId}:{jar.artifactId}:{jar.version} {sha256_of(jar.resolve())}"
                for jar in (dependency.artifact for dependency in inputs + transitive)
            }
            print("\n".join(sorted(lines)))


if __name__ == "__main__":
    main()
