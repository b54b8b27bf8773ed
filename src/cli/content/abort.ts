import type { Register } from '../register.ts'

/** `orlop content abort` */
export const registerAbort: Register = (noun, { out, signal, scope, options: global }) => {
  noun
    .command('abort <ref...>')
    .description('throw away ingests and their bytes')
    .action(async (refs: string[]) => {
      const { content } = await scope()
      for (const ref of refs) {
        await content.abort(ref, { signal })
        if (!global.json) out.line(ref)
      }
      if (global.json) out.json(refs)
    })
}
