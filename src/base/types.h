/* SPDX-License-Identifier: MIT */
/*
 * Base types of seamlab: fixed-width integers in kernel spelling, typed addresses, bit helpers.
 * Layer: base. Holds no state and calls nothing.
 */
#ifndef SL_BASE_TYPES_H
#define SL_BASE_TYPES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t s32;
typedef int64_t s64;

/* Addresses differ by type so that a guest address cannot be used as a host address. */
struct gpa {
	u64 v;
};

struct hpa {
	u64 v;
};

#define SL_PAGE_SHIFT 12
#define SL_PAGE_SIZE  (1ull << SL_PAGE_SHIFT)
#define SL_PAGE_MASK  (SL_PAGE_SIZE - 1)
#define SL_LEVEL_BITS 9
#define SL_ENTRIES    512
/* Level 0 = 4 KB, 1 = 2 MB, 2 = 1 GB, 3 = PML4, 4 = PML5. */
#define SL_LEVEL_SHIFT(level) (SL_PAGE_SHIFT + SL_LEVEL_BITS * (unsigned int)(level))
#define SL_LEVEL_SIZE(level)  (1ull << SL_LEVEL_SHIFT(level))
/* Number of 4 KB units that an entry at this level maps. */
#define SL_LEVEL_PAGES(level) (1ull << (SL_LEVEL_BITS * (unsigned int)(level)))

#define BIT_ULL(n)        (1ull << (n))
#define GENMASK_ULL(h, l) ((~0ull >> (63 - (h))) & (~0ull << (l)))
#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define SL_WARN_UNUSED    __attribute__((warn_unused_result))
#define SL_PRINTF(f, a)   __attribute__((format(printf, f, a)))
#define SL_CACHELINE      64
/* What the function calls becomes part of it, and what becomes part of every caller. */
#define SL_FLATTEN __attribute__((flatten))
#define SL_INLINE  static inline __attribute__((always_inline))
#define SL_COLD    __attribute__((cold))

#define sl_likely(x)   __builtin_expect(!!(x), 1)
#define sl_unlikely(x) __builtin_expect(!!(x), 0)

static inline bool sl_is_aligned(u64 v, u64 align)
{
	return (v & (align - 1)) == 0;
}

static inline u64 sl_align_up(u64 v, u64 align)
{
	return (v + align - 1) & ~(align - 1);
}

#endif
