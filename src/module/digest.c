// SPDX-License-Identifier: MIT
/*
 * Digests by libcrypto. Its flat contexts are used, not the EVP interface, which allocates.
 * Layer: module.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include "module/digest.h"

#include <openssl/sha.h>
#include <string.h>

#include "base/bug.h"

#define HMAC_BLOCK SHA256_CBLOCK

_Static_assert(sizeof(SHA512_CTX) == sizeof(struct sha384), "a digest in progress fits");
_Static_assert(SHA384_DIGEST_LENGTH == SHA384_SIZE && SHA256_DIGEST_LENGTH == HMAC256_SIZE,
	       "digests have the sizes that the module uses");

void sha384_begin(struct sha384 *s)
{
	/* SHA384_Init() leaves the block as it is: nothing of the stack may get into the TD. */
	SHA512_CTX ctx = { 0 };

	SHA384_Init(&ctx);
	memcpy(s, &ctx, sizeof(ctx));
}

void sha384_add(struct sha384 *s, const void *data, size_t size)
{
	SHA512_CTX ctx;

	memcpy(&ctx, s, sizeof(ctx));
	SHA384_Update(&ctx, data, size);
	memcpy(s, &ctx, sizeof(ctx));
}

void sha384_end(struct sha384 *s, u8 out[SHA384_SIZE])
{
	u8 digest[SHA384_SIZE];
	SHA512_CTX ctx;

	memcpy(&ctx, s, sizeof(ctx));
	SHA384_Final(digest, &ctx);
	memset(s, 0, sizeof(*s));
	memcpy(out, digest, sizeof(digest));
}

void sha384_of(const void *data, size_t size, u8 out[SHA384_SIZE])
{
	SHA512_CTX ctx;

	SHA384_Init(&ctx);
	SHA384_Update(&ctx, data, size);
	SHA384_Final(out, &ctx);
}

void hmac256_of(const void *key, size_t key_size, const void *data, size_t size,
		u8 out[HMAC256_SIZE])
{
	u8 pad[HMAC_BLOCK] = { 0 }, inner[HMAC256_SIZE];
	SHA256_CTX ctx;

	SL_BUG_ON(key_size > sizeof(pad));
	memcpy(pad, key, key_size);
	for (u32 i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36;
	SHA256_Init(&ctx);
	SHA256_Update(&ctx, pad, sizeof(pad));
	SHA256_Update(&ctx, data, size);
	SHA256_Final(inner, &ctx);
	for (u32 i = 0; i < sizeof(pad); i++)
		pad[i] ^= 0x36 ^ 0x5C;
	SHA256_Init(&ctx);
	SHA256_Update(&ctx, pad, sizeof(pad));
	SHA256_Update(&ctx, inner, sizeof(inner));
	SHA256_Final(out, &ctx);
}
