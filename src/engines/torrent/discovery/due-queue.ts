/** Things and when their turn is: the earliest is found, added and taken away in logarithmic time. */

interface Entry<Item> {
  item: Item
  at: number
}

export interface DueQueue<Item> {
  readonly size: number
  /** A second call moves it. */
  put(item: Item, at: number): void
  remove(item: Item): void
  /** When the first turn is; undefined where nobody waits. */
  next(): number | undefined
  /** Takes the first away. */
  take(): Item | undefined
  clear(): void
}

export function createDueQueue<Item>(): DueQueue<Item> {
  // A binary heap; `places` says where in it an item stands.
  const heap: Entry<Item>[] = []
  const places = new Map<Item, number>()

  function set(index: number, entry: Entry<Item>): void {
    heap[index] = entry
    places.set(entry.item, index)
  }

  function up(index: number, entry: Entry<Item>): number {
    let at = index
    while (at > 0) {
      const parent = heap[(at - 1) >> 1]
      if (parent === undefined || parent.at <= entry.at) break
      set(at, parent)
      at = (at - 1) >> 1
    }
    set(at, entry)
    return at
  }

  function down(index: number, entry: Entry<Item>): void {
    let at = index
    for (;;) {
      const left = heap[2 * at + 1]
      const right = heap[2 * at + 2]
      const least = right && left && right.at < left.at ? right : left
      if (least === undefined || least.at >= entry.at) break
      const next = least === left ? 2 * at + 1 : 2 * at + 2
      set(at, least)
      at = next
    }
    set(at, entry)
  }

  function remove(item: Item): void {
    const index = places.get(item)
    if (index === undefined) return
    places.delete(item)
    const last = heap.pop()
    if (last === undefined || last.item === item) return
    if (up(index, last) === index) down(index, last)
  }

  return {
    get size() {
      return heap.length
    },
    put(item, at) {
      remove(item)
      up(heap.length, { item, at })
    },
    remove,
    next: () => heap[0]?.at,
    take() {
      const first = heap[0]?.item
      if (first !== undefined) remove(first)
      return first
    },
    clear() {
      heap.length = 0
      places.clear()
    },
  }
}
