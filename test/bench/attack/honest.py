#!/usr/bin/env python3
"""An honest client beside an attack: honest.py ADDRESS SECONDS IMAGE [KEY]. One connection a request, at most 50 a second, every
20th identifies the picture. Prints JSON: how many, p50, p99 and the longest in ms, errors by kind, and when the first came
through."""
import collections
import http.client
import json
import select
import sys
import time

RATE, EVERY, SOURCE, PATIENCE_S = 50, 20, '127.9.9.9', 10


def quantile(values, part):
    values = sorted(values)
    return round(values[min(len(values) - 1, int(len(values) * part))], 1) if values else None


def main():
    address, seconds, image = sys.argv[1], float(sys.argv[2]), open(sys.argv[3], 'rb').read()
    headers = {'x-api-key': sys.argv[4]} if len(sys.argv) > 4 else {}
    host, port = address.rsplit(':', 1)
    begun, n, first = time.monotonic(), 0, None
    took, errors = {'get': [], 'identify': []}, collections.Counter()
    while time.monotonic() - begun < seconds:
        at, n = time.monotonic(), n + 1
        kind = 'identify' if n % EVERY == 0 else 'get'
        connection = http.client.HTTPConnection(host, int(port), timeout=PATIENCE_S, source_address=(SOURCE, 0))
        try:
            if kind == 'identify':
                connection.request('POST', '/v1/identify', image, {'content-type': 'image/png', **headers})
            else:
                connection.request('GET', '/v1/images?limit=10', headers=headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                took[kind].append((time.monotonic() - at) * 1000)
                first = first if first is not None else time.monotonic() - begun
            else:
                errors[str(answer.status)] += 1
        except OSError as error:
            errors[type(error).__name__] += 1
        except http.client.HTTPException as error:
            errors[type(error).__name__] += 1
        connection.close()
        select.select([], [], [], max(0, 1 / RATE - (time.monotonic() - at)))
    print(json.dumps({'n': n, 'p50': quantile(took['get'], .5), 'p99': quantile(took['get'], .99),
                      'longest': quantile(took['get'], 1), 'identify_p50': quantile(took['identify'], .5),
                      'errors': dict(errors), 'first_s': first}))


main()
