/**
 * Words for the rooms' configuration sections: sizes and durations that people write as `100MB` and
 * `90d`, and that rooms receive as bytes and milliseconds.
 */
import { Type } from 'typebox'

/** Schema keyword that tells the loader how to parse the written value. */
export type UnitFormat = 'btl-size' | 'btl-duration'

/** Bytes; written as a number or `10GB` (1024-based). `fallback` is in bytes. */
export const size = (
  fallback: number,
  description: string,
  bounds: { minimum?: number; maximum?: number } = {},
) =>
  Type.Number({
    minimum: 0,
    ...bounds,
    default: fallback,
    description,
    unit: 'btl-size' satisfies UnitFormat,
  })

/** Milliseconds; written as `90d`, `900s`, `10m` or bare seconds. `fallback` is in milliseconds. */
export const duration = (
  fallback: number,
  description: string,
  bounds: { minimum?: number; maximum?: number } = {},
) =>
  Type.Number({
    minimum: 0,
    ...bounds,
    default: fallback,
    description,
    unit: 'btl-duration' satisfies UnitFormat,
  })

/** A port; 0 picks a free one. */
export const port = (fallback: number, description: string) =>
  Type.Integer({ minimum: 0, maximum: 65535, default: fallback, description })

export const flag = (fallback: boolean, description: string) =>
  Type.Boolean({ default: fallback, description })

export const count = (
  fallback: number,
  description: string,
  bounds: { minimum?: number; maximum?: number } = {},
) => Type.Integer({ minimum: 0, ...bounds, default: fallback, description })

export const text = (fallback: string, description: string) =>
  Type.String({ default: fallback, description })

export const texts = (fallback: string[], description: string) =>
  Type.Array(Type.String(), { default: fallback, description })
