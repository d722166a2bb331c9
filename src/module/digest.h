/* SPDX-License-Identifier: MIT */
/*
 * Digests: SHA-384 in pieces, SHA-384 and HMAC-SHA-256 at once.
 *
 * The library that computes them is not instrumented, so it never sees the arena: a digest in
 * progress is copied to the stack, worked on there and copied back, and data given to these
 * functions lies on the caller's stack. Nothing is allocated. Layer: module, private.
 */
#ifndef SL_MODULE_DIGEST_H
#define SL_MODULE_DIGEST_H

#include "base/types.h"

#define SHA384_SIZE  48
#define HMAC256_SIZE 32

/* A digest in progress; plain data, which may lie in the arena. */
struct sha384 {
	u64 room[27];
};

void sha384_begin(struct sha384 *s);
void sha384_add(struct sha384 *s, const void *data, size_t size);
/* @s is spent afterwards. */
void sha384_end(struct sha384 *s, u8 out[SHA384_SIZE]);

/* @data and @out on the caller's stack. */
void sha384_of(const void *data, size_t size, u8 out[SHA384_SIZE]);
/* The key has at most 64 bytes. @data and @out on the caller's stack; @key not in the arena either. */
void hmac256_of(const void *key, size_t key_size, const void *data, size_t size,
		u8 out[HMAC256_SIZE]);

#endif
