/**
 * Policies of containers/image (policy.json) and the signatures of images.
 *
 * `loadPolicy` reads a file, strictly; `evaluate` judges the bytes of one manifest and `admit` throws when it is denied.
 * Where signatures come from is the caller's affair: a `PolicyImage` brings them. What cannot be verified is denied.
 */
export type {
  Signature,
  SignatureOptions,
  SignatureSink,
  SignatureSource,
  SigstoreSignature,
  SimpleSignature,
} from '../images/signature.ts'
export { decodeSignature, encodeSignature } from '../images/signature.ts'
export { dockerScopes, pathScopes } from '../oci/scopes.ts'
export { dockerIdentity, dockerImage } from './docker-image.ts'
export { admit, evaluate, requirementsFor, whyNot } from './evaluate.ts'
export { acceptAnything, findPolicy, loadPolicy, type PolicyPlaces } from './file.ts'
export { matchesIdentity } from './identity.ts'
export { policyOfKeys } from './key-policy.ts'
export { parsePolicy } from './parse.ts'
export { type Payload, type PayloadType, parsePayload } from './payload.ts'
export type * from './types.ts'
