import { BlockList, isIP, isIPv6 } from 'node:net'
import { OrlopError } from '../../errors.ts'

/**
 * The proxy that the environment wants for a URL, or `undefined` for none.
 *
 * `HTTPS_PROXY` is for https and `HTTP_PROXY` for http, each also in lower case; a value without scheme is http. This
 * machine itself is never reached through a proxy, nor is what `NO_PROXY` names: addresses, networks (`10.0.0.0/8`),
 * domains with all below them (`corp.test`), only what is below (`.corp.test`, `*.corp.test`), each perhaps with a port,
 * or `*` for everything.
 *
 * @throws INVALID_ARGUMENT  the variable holds no URL of a proxy; its value, which may have a password, is not told
 * @see golang.org/x/net/http/httpproxy, by which containerd and containers/image choose
 */
export function proxyFor(url: URL, env: NodeJS.ProcessEnv = process.env): URL | undefined {
  const name = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY'
  const value = variable(name, env)
  if (value === '' || isExempt(url, env.no_proxy ?? env.NO_PROXY ?? '')) return undefined
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`
  const proxy = URL.canParse(text) ? new URL(text) : undefined
  if (proxy && /^(https?|socks5):$/.test(proxy.protocol) && proxy.hostname !== '') return proxy
  throw new OrlopError('INVALID_ARGUMENT', `${name}: expected the URL of a proxy, as http://proxy.test:3128`)
}

const variable = (name: 'HTTPS_PROXY' | 'HTTP_PROXY', env: NodeJS.ProcessEnv): string => {
  const lower = env[name.toLowerCase()]
  // In a CGI program HTTP_PROXY is what a client sent as the header "Proxy". See CVE-2016-5386.
  if (name === 'HTTP_PROXY' && env.REQUEST_METHOD !== undefined) return lower ?? ''
  return lower ?? env[name] ?? ''
}

function isExempt({ hostname, port, protocol }: URL, noProxy: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').toLowerCase()
  if (host === 'localhost' || loopback.check(host, familyOf(host))) return true
  const number = port === '' ? (protocol === 'https:' ? '443' : '80') : port
  return noProxy
    .toLowerCase()
    .split(/[,\s]+/)
    .some(entry => entry !== '' && matches(entry, host, number))
}

const loopback = new BlockList()
loopback.addSubnet('127.0.0.0', 8)
loopback.addAddress('::1', 'ipv6')

const familyOf = (host: string): 'ipv4' | 'ipv6' => (isIPv6(host) ? 'ipv6' : 'ipv4')

function matches(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true
  const [, network = '', bits] = /^([0-9a-f:.]+)\/(\d{1,3})$/.exec(entry) ?? []
  if (bits !== undefined) return isIP(host) !== 0 && isWithin(host, network, Number(bits))
  const [, name = entry, wanted] = /^(\[[^\]]*\]|[^:]*):(\d+)$/.exec(entry) ?? []
  if (wanted !== undefined && wanted !== port) return false
  const bare = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '')
  return bare.startsWith('.') ? host.endsWith(bare) : host === bare || host.endsWith(`.${bare}`)
}

function isWithin(host: string, network: string, bits: number): boolean {
  const family = familyOf(network)
  if (isIP(network) === 0 || bits > (family === 'ipv6' ? 128 : 32)) return false
  const list = new BlockList()
  list.addSubnet(network, bits, family)
  return list.check(host, familyOf(host))
}
