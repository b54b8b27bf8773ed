import { type Command, Option } from 'commander'

/** Which file of logins a command works on. */
export interface LoginFileFlags {
  readonly authfile?: string
  readonly compatAuthFile?: string
}

/** Adds the options of `LoginFileFlags`, named as podman names them. */
export const addLoginFileOptions = (command: Command): Command =>
  command
    .addOption(
      new Option(
        '--authfile <file>',
        'the auth.json to use; $REGISTRY_AUTH_FILE else, or that of the session',
      ),
    )
    .addOption(
      new Option('--compat-auth-file <file>', "a config.json of Docker's to use instead").conflicts(
        'authfile',
      ),
    )
