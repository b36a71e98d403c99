import { type Static, Type } from 'typebox'
import { count, flag, text } from '../../base/config-schema.ts'

/** The `update` section. */
export const updateConfigSchema = Type.Object(
  {
    site: text(
      '',
      'The site of the releases, a `.btlink` name; empty is the one that the image came with.',
    ),
    channel: text('', 'A folder with releases, `https://…` or `http://…`; empty is none.'),
    automatic: flag(true, 'Install new releases by night without being asked.'),
    window: Type.String({
      default: '02:00-05:00',
      pattern: '^([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]$',
      description: 'When the box may install and start anew by itself, in its own time zone.',
    }),
    checks_per_day: count(2, 'How often a day the box looks for a release; 0 is never.', {
      maximum: 24,
    }),
    key: text(
      '/usr/lib/btlinkd/release.pub',
      'File with the public key that releases are signed with, as minisign writes it.',
    ),
    seed: flag(true, 'Keep the release whole, and give it to other boxes.'),
  },
  { additionalProperties: false },
)

export type UpdateConfig = Static<typeof updateConfigSchema>
