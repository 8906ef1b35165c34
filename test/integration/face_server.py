"""A remote recogniser as in the original: a real gRPC server that implements proto/face.proto.

    face_server.py STUBS PORT [CERTIFICATE KEY]

It is controlled by one JSON object a line on its standard input: {"people": {path: name}, "ready": bool,
"wait": seconds, "error": status code, "answer": what it always says}. It prints one line for each call that it got.
"""
import concurrent.futures
import json
import pathlib
import sys
import threading

sys.path.insert(0, sys.argv[1])
import face_pb2  # noqa: E402
import face_pb2_grpc  # noqa: E402
import grpc  # noqa: E402

orders = {'people': {}, 'ready': True, 'wait': 0, 'error': None, 'answer': None}
changed = threading.Event()


class Identify(face_pb2_grpc.IdentifyServicer):
    def Identify(self, request, context):
        print('identify', request.image_path, flush=True)
        trace = dict(context.invocation_metadata()).get('traceparent')
        if trace:
            print('trace', trace, flush=True)
        if orders['wait']:
            changed.wait(orders['wait'])
        if orders['error']:
            context.abort(getattr(grpc.StatusCode, orders['error']), f'told to say {orders["error"]}')
        if orders['answer'] is not None:
            return face_pb2.IdentifyResponse(image_name=orders['answer'])
        return face_pb2.IdentifyResponse(image_name=orders['people'].get(request.image_path, 'not_found'))


class HealthCheck(face_pb2_grpc.HealthCheckServicer):
    def HealthCheck(self, request, context):
        print('health', flush=True)
        return face_pb2.HealthCheckResponse(ready=orders['ready'])


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=[('grpc.so_reuseport', 0)])
    face_pb2_grpc.add_IdentifyServicer_to_server(Identify(), server)
    face_pb2_grpc.add_HealthCheckServicer_to_server(HealthCheck(), server)
    address = f'127.0.0.1:{sys.argv[2]}'
    if len(sys.argv) > 3:
        certificate, key = (pathlib.Path(f).read_bytes() for f in sys.argv[3:5])
        port = server.add_secure_port(address, grpc.ssl_server_credentials([(key, certificate)]))
    else:
        port = server.add_insecure_port(address)
    server.start()
    print('serving', port, flush=True)
    for line in sys.stdin:
        orders.update(json.loads(line))
        changed.set()
        changed.clear()
        print('obeyed', flush=True)
    server.stop(None)


main()
