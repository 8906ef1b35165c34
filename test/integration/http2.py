"""An HTTP/2 client with prior knowledge, for what http.client cannot send."""
import h2.config
import h2.connection
import h2.events
import h2.settings


class Http2:
    """One connection with prior knowledge."""

    def __init__(self, kith):
        self.api = kith.api
        self.socket = kith.socket()
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.connection.initiate_connection()
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def headers(self, method, path, **more):
        return [(':method', method), (':path', path), (':scheme', 'http'), (':authority', more.pop('host', self.api)),
                *[(k.replace('_', '-'), str(one)) for k, v in more.items()
                  for one in (v if isinstance(v, list) else [v])]]

    def request(self, method, path, body=b'', **headers):
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, self.headers(method, path, **headers), end_stream=not body)
        while body:
            size = min(len(body), self.connection.local_flow_control_window(stream),
                       self.connection.max_outbound_frame_size)
            if size == 0:
                self.read()
                continue
            self.connection.send_data(stream, body[:size], end_stream=size == len(body))
            body = body[size:]
            self.flush()
        self.flush()
        return stream

    def read(self):
        data = self.socket.recv(65536)
        if not data:
            raise ConnectionError('closed')
        events = self.connection.receive_data(data)
        for event in events:
            if isinstance(event, h2.events.DataReceived):
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        self.flush()
        return events

    def answer(self, stream):
        status, body = None, b''
        while True:
            for event in self.read():
                if getattr(event, 'stream_id', None) != stream:
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b':status' if b':status' in dict(event.headers) else ':status'])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamReset):
                    return 'reset', body
                elif isinstance(event, h2.events.StreamEnded):
                    return status, body

    def call(self, method, path, body=b'', **headers):
        """The status and the body of one request."""
        return self.answer(self.request(method, path, body, **headers))

    def close(self):
        self.socket.close()
