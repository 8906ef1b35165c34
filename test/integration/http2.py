"""An HTTP/2 client whose frames a test controls, and for what http.client cannot send."""
import h2.config
import h2.connection
import h2.events


class Http2:
    """One connection with prior knowledge."""

    def __init__(self, kith):
        self.events = []
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

    def begin(self, method, path, **headers):
        """Sends the headers of a request with a body, which stays open."""
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, self.headers(method, path, **headers))
        self.flush()
        return stream

    def send(self, stream, body, end=False):
        """Sends a part of the body, as far as flow control lets it."""
        while body or end:
            size = min(len(body), self.connection.local_flow_control_window(stream),
                       self.connection.max_outbound_frame_size)
            if body and size == 0:
                self.read()
                continue
            last = end and size == len(body)
            self.connection.send_data(stream, body[:size], end_stream=last)
            body = body[size:]
            self.flush()
            if last:
                return

    def request(self, method, path, body=b'', **headers):
        stream = self.connection.get_next_available_stream_id()
        self.connection.send_headers(stream, self.headers(method, path, **headers), end_stream=not body)
        if body:
            self.send(stream, body, end=True)
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
        self.events += events
        return events

    def answer(self, stream):
        """The status and body of a stream's answer; events of other streams are kept for their turn."""
        status, body = None, b''
        while True:
            mine, self.events = self.events, []
            for event in mine:
                if getattr(event, 'stream_id', None) != stream:
                    self.events.append(event)
                    continue
                if isinstance(event, h2.events.ResponseReceived):
                    status = int(dict(event.headers)[b':status' if b':status' in dict(event.headers) else ':status'])
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data
                elif isinstance(event, h2.events.StreamReset):
                    self.events += mine[mine.index(event) + 1:]
                    return 'reset', body
                elif isinstance(event, h2.events.StreamEnded):
                    self.events += mine[mine.index(event) + 1:]
                    return status, body
            self.read()

    def call(self, method, path, body=b'', **headers):
        """The status and the body of one request."""
        return self.answer(self.request(method, path, body, **headers))

    def close(self):
        self.socket.close()
