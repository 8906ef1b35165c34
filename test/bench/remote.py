"""The cost of the grpc recogniser beside a bare call: the same service, asked by grpcio and through the queue of kith."""
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / 'test/integration'))
from harness import Kith, remove, until  # noqa: E402
from test_grpc import FaceServer, make_stubs  # noqa: E402


def bare(server, count):
    sys.path.insert(0, str(server.stubs))
    import face_pb2
    import face_pb2_grpc
    import grpc
    stub = face_pb2_grpc.IdentifyStub(grpc.insecure_channel(f'127.0.0.1:{server.port}'))
    for n in range(count // 10):
        stub.Identify(face_pb2.IdentifyRequest(image_path='/warm'))
    took = []
    for n in range(count):
        begun = time.perf_counter()
        stub.Identify(face_pb2.IdentifyRequest(image_path=f'/bare/{n}'))
        took.append((time.perf_counter() - begun) * 1000)
    return took


def run(figure, quick):
    count = 200 if quick else 2000
    folder = pathlib.Path(tempfile.mkdtemp(prefix='kith-bench-'))
    kith, server = None, FaceServer(make_stubs(folder))
    try:
        server.start()
        direct = bare(server, count)
        kith = Kith(folder / 'kith', recognizer='grpc', grpc_address=f'127.0.0.1:{server.port}', workers=1,
                    log_level='info').start()
        kith.picture('a.png', 1, 2, 3)
        for n in range(count):
            shutil.copy(kith.images / 'a.png', kith.images / f'{n}.png')
        begun = time.perf_counter()
        kith.submit(*[kith.images / f'{n}.png' for n in range(count)])
        until(lambda: kith.get('/v1/stats').json['unknown'] == count, 'all to be done', patience=300)
        through = (time.perf_counter() - begun) * 1000 / count
        figure('a bare grpcio call, median', statistics.median(direct), 'ms')
        figure('a bare grpcio call, mean', statistics.mean(direct), 'ms')
        figure('an image through the queue and the grpc recogniser, one worker, mean', through, 'ms')
        figure('overhead of the queue and the plug-in', through - statistics.mean(direct), 'ms', at_most=1)
    finally:
        if kith:
            kith.stop()
        server.kill()
        remove(folder)
