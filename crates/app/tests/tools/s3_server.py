"""A real S3-compatible server on loopback that checks signatures: the store of moto, over HTTP.

Usage: s3_server.py BUCKET. Prints its port, the id of a key, and the key. Then, for each line of its standard input:
`down` closes its socket, `up` opens it again on the same port; it answers with the same word. Ends with its input.
"""

import logging
import os
import sys
import threading

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "4"
logging.getLogger("werkzeug").setLevel(logging.ERROR)

import boto3  # noqa: E402 - reads the environment
from moto.server import DomainDispatcherApplication, create_backend_app  # noqa: E402
from werkzeug.serving import make_server  # noqa: E402

POLICY = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


class Server:
    def __init__(self):
        self.app = DomainDispatcherApplication(create_backend_app)
        self.port = 0
        self.up()

    def up(self):
        self.server = make_server("127.0.0.1", self.port, self.app, threaded=True)
        self.server.daemon_threads = True
        self.port = self.server.server_port
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    def down(self):
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()


def prepare(port, bucket):
    """The first four actions are free; from then on every request must be signed with the key."""
    place = {"endpoint_url": f"http://127.0.0.1:{port}", "region_name": "eu-central-1"}
    anybody = {"aws_access_key_id": "anybody", "aws_secret_access_key": "anybody"}
    iam = boto3.client("iam", **place, **anybody)
    iam.create_user(UserName="onescan")
    iam.put_user_policy(UserName="onescan", PolicyName="documents", PolicyDocument=POLICY)
    key = iam.create_access_key(UserName="onescan")["AccessKey"]
    s3 = boto3.client("s3", **place, **anybody)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    return key["AccessKeyId"], key["SecretAccessKey"]


server = Server()
print(server.port, *prepare(server.port, sys.argv[1]), flush=True)
for line in sys.stdin:
    word = line.strip()
    {"down": server.down, "up": server.up}[word]()
    print(word, flush=True)
os._exit(0)
