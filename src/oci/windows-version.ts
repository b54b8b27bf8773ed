/** Releases of Windows Server that keep running the images of the one before, oldest first: 2022 and 2025. */
const stableBuilds = [20348, 26100] as const
const firstStable = stableBuilds[0]

interface Version {
  readonly major: number
  readonly minor: number
  readonly build: number
}

const none: Version = { major: 0, minor: 0, build: 0 }

/**
 * True when a Windows host of version `host` runs an image made for version `image`, both `major.minor.build[.rev]`.
 *
 * Nothing, on either side, fits everything. Before Server 2022 the builds must be equal. From there on a host runs its
 * own builds and older ones, down to the long-term release before its own.
 *
 * @see containerd/platforms, platform_windows_compat.go
 */
export function runsOnWindows(host: string, image: string): boolean {
  const [here, there] = [parse(host), parse(image)]
  if (here === none || image === '') return true
  if (here.major !== there.major || here.minor !== there.minor) return false
  if (here.build < firstStable) return here.build === there.build
  const newest = stableBuilds.findLastIndex(build => build <= here.build)
  const floor = stableBuilds[Math.max(newest - 1, 0)] ?? firstStable
  return there.build >= floor && there.build <= here.build
}

const parse = (text: string): Version => {
  const found = /^(\d{1,5})\.(\d{1,5})\.(\d{1,7})(?:\.|$)/.exec(text)
  if (found === null) return none
  const [major = 0, minor = 0, build = 0] = found.slice(1).map(Number)
  const fits = major < 2 ** 8 && minor < 2 ** 8 && build < 2 ** 16 && major + minor + build > 0
  return fits ? { major, minor, build } : none
}
