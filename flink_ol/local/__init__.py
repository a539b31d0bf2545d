"""The local stack: a real Kafka broker and a real multi-process Flink cluster, on loopback only.

    from flink_ol.local.stack import Stack

    stack = Stack(folder)                      # nothing happens yet
    status = stack.up(task_managers=1, slots=4)
    status.bootstrap_servers, status.rest_url  # "127.0.0.1:PORT", "http://127.0.0.1:PORT"
    stack.submit(["-py", "jobs/train.py", "spec.yaml"])   # -> JobID; `flink run -d` in a child
    stack.kill_task_manager("tm-1")            # kill -9, and its Python workers
    stack.add_task_manager()
    stack.down()                               # ends every process, removes what it wrote

A job may also be submitted by a script that uses PyFlink itself:
`subprocess.run([sys.executable, "script.py"], env=stack.submit_environment())`.

Every process of the stack itself binds to 127.0.0.1 only. One thing does not: while a job with
Python functions runs, the Beam runner inside a TaskManager opens a few gRPC ports to its Python
workers on all addresses, and offers no setting for it. On a machine that others can reach, close
them with a firewall.
"""
