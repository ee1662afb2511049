/*
 * Looks for many pieces of four bytes at once, at every place of a buffer.
 * C, since a key has hundreds of them: one memmem(3) for each takes minutes.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BITS 20

/* Bytes between two places: a piece of eight has one of four at one of them. */
#define STEP 5

struct table {
	uint8_t first[1 << (BITS - 3)];
	uint8_t second[1 << (BITS - 3)];
};

static uint32_t slot(uint32_t piece)
{
	return (piece * UINT32_C(2654435761)) >> (32 - BITS);
}

static uint32_t other_slot(uint32_t piece)
{
	return ((piece ^ piece >> 15) * UINT32_C(2246822519)) >> (32 - BITS);
}

size_t finder_bytes(void)
{
	return sizeof(struct table);
}

void finder_enter(struct table *table, uint32_t piece)
{
	uint32_t at = slot(piece), other = other_slot(piece);
	table->first[at >> 3] |= (uint8_t)(1u << (at & 7));
	table->second[other >> 3] |= (uint8_t)(1u << (other & 7));
}

/*
 * Writes where a piece may lie, which the caller compares; gives their number.
 * Starts at *from and leaves there where to go on when the room is used up.
 */
size_t finder_find(const struct table *table, const uint8_t *data, size_t size,
		   size_t *from, uint32_t *places, size_t room)
{
	size_t count = 0, at = *from;
	for (; at + 4 <= size && count < room; at += STEP) {
		uint32_t piece, bit;
		memcpy(&piece, data + at, 4);
		bit = slot(piece);
		if (!(table->first[bit >> 3] >> (bit & 7) & 1))
			continue;
		bit = other_slot(piece);
		if (table->second[bit >> 3] >> (bit & 7) & 1)
			places[count++] = (uint32_t)at;
	}
	*from = at;
	return count;
}
