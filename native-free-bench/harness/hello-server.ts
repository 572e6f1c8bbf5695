/* Entry of the bare server: reads a request's whole body, and says hello. What a door cannot
 * beat. */

import uWebSockets from 'uWebSockets.js';

uWebSockets
  .App()
  .post('/*', (response) => {
    response.onAborted(() => undefined);
    response.onData((_, isLast) => {
      if (isLast) response.end('hello');
    });
  })
  .listen('127.0.0.1', Number(process.argv[2]), (socket) => {
    if (socket === false) process.exit(1);
  });
