"""A remote recogniser as in the original: a real gRPC server that implements proto/face.proto.

    face_server.py STUBS PORT HEALTH [CERTIFICATE KEY]

HEALTH: the service of health checks that it implements: original (that of face.proto), standard (that of gRPC), none.
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


under_way = threading.Lock()  # of a call


class Identify(face_pb2_grpc.IdentifyServicer):
    def Identify(self, request, context):
        alone = under_way.acquire(blocking=False)
        print('identify', request.image_path, flush=True)
        if not alone:
            print('overlap', request.image_path, flush=True)
        try:
            return self.identify(request, context)
        finally:
            if alone:
                under_way.release()

    def identify(self, request, context):
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


def check_standard(request, context):
    """grpc.health.v1.Health/Check; the answer's field 1 is the status: 1 is SERVING, 2 NOT_SERVING."""
    print('check', request.hex(), flush=True)
    return b'\x08\x01' if orders['ready'] else b'\x08\x02'


def add_health(server, kind):
    if kind == 'original':
        face_pb2_grpc.add_HealthCheckServicer_to_server(HealthCheck(), server)
    elif kind == 'standard':
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(
            'grpc.health.v1.Health', {'Check': grpc.unary_unary_rpc_method_handler(check_standard)}),))


def main():
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=[('grpc.so_reuseport', 0)])
    face_pb2_grpc.add_IdentifyServicer_to_server(Identify(), server)
    add_health(server, sys.argv[3])
    address = f'127.0.0.1:{sys.argv[2]}'
    if len(sys.argv) > 4:
        certificate, key = (pathlib.Path(f).read_bytes() for f in sys.argv[4:6])
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
