import { bound, memoryBound } from '../lib/bound.ts'
import { selfMeasured } from '../lib/measure.ts'
import { containerdPeer, servePeer } from '../lib/peers.ts'
import type { Case, CaseMaker } from '../lib/types.ts'

/** Content through the socket, by one client, from orlop and from containerd. */
export const make: CaseMaker = async bench => {
  const ctr = await containerdPeer(bench)
  const serve = await servePeer(bench)
  const through = (
    name: string,
    title: string,
    args: readonly (string | number)[],
    atMost: number,
  ): Case => ({
    name,
    title,
    contenders: [
      {
        name: 'orlop serve',
        kind: 'ours',
        run: () => selfMeasured('content.js', [serve.address, ...args], { daemon: serve.pid }),
      },
      {
        name: 'containerd',
        kind: 'peer',
        run: () => selfMeasured('content.js', [ctr.address, ...args], { daemon: ctr.pid }),
      },
      bound(memoryBound),
    ],
    targets: [
      { against: 'containerd', measure: 'wall', atMost },
      { against: memoryBound, measure: 'peak', atMost: 1 },
    ],
  })
  const bytes = Math.round(256 * 1024 * 1024 * bench.scale)
  const count = Math.round(3000 * bench.scale)
  const size = `${Math.round(bytes / 1024 / 1024)} MiB`
  return [
    through('socket-write', `write of ${size} through the socket`, ['write', bytes], 1),
    through('socket-read', `read of ${size} through the socket`, ['read', bytes], 1),
    through(
      'socket-small',
      `${count} blobs of 30 bytes through the socket, 16 at once`,
      ['small', count],
      0.5,
    ),
  ]
}
