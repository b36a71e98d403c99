/** Questions that no resolver of a house answers, whatever the name. */
import { CLASS, RCODE, TYPE } from '../../../base/dns/codes.ts'
import { hinfoData } from '../../../base/dns/record-data.ts'
import { found, refused } from '../zone.ts'
import type { Handler } from '../reply.ts'

/** RFC 8482 §4.2, and how long its answer may be kept. */
const ANY_ANSWER = hinfoData('RFC8482', '')
const ANY_TTL = 3600
/** RFC 6895 §3.1: types from here up to 255 are for the talk between servers. */
const FIRST_META = 128

export function createPolicy(): Handler {
  return {
    name: 'policy',
    answer(asked) {
      const { type, class: klass } = asked.query
      // version.bind and its kin in class CH tell strangers what to attack.
      if (klass !== CLASS.IN) return refused(RCODE.REFUSED)
      if (type === TYPE.ANY) {
        const made = found(asked, [ANY_ANSWER], ANY_TTL)
        return {
          ...made,
          isOurs: false,
          answers: made.answers.map((record) => ({ ...record, type: TYPE.HINFO })),
        }
      }
      const isMeta = type >= FIRST_META && type < TYPE.ANY
      return isMeta || type === 0 ? refused(RCODE.REFUSED) : undefined
    },
  }
}
