import test from 'ava'
import { criPinLabel, pinLabel, pinOf } from '../../src/images/pin.ts'

const pins = test.macro({
  exec(t, labels: Readonly<Record<string, string>>, label: string | undefined) {
    t.is(pinOf({ labels }), label)
  },
  title: (_, labels, label) => `pinOf() of ${JSON.stringify(labels)} is ${label}`,
})

test(pins, {}, undefined)
test(pins, { [pinLabel]: 'true' }, pinLabel)
test(pins, { [pinLabel]: 'false' }, pinLabel)
test(pins, { [criPinLabel]: 'pinned' }, criPinLabel)
test(pins, { [criPinLabel]: 'no' }, undefined)
test(pins, { [criPinLabel]: 'pinned', [pinLabel]: 'x' }, pinLabel)
test(pins, JSON.parse('{"__proto__": "pinned"}'), undefined)
test(pins, { 'orlop.io/pinned.not': '1', pinned: 'pinned' }, undefined)
