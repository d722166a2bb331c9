/* SPDX-License-Identifier: MIT */
/*
 * Reading and writing metadata fields by their ids (spec: "Metadata field ids relevant to
 * concurrency"). The fields and who may do what with them are in metadata.def.
 *
 * Of an id count class and field code; size, context, increment and write-mask bits are ignored.
 * Layer: module, private.
 */
#ifndef SL_MODULE_METADATA_H
#define SL_MODULE_METADATA_H

#include "module/call.h"

/* No field: asks for the first one, and stands behind the last one. */
#define MD_NULL_ID (~0ull)

enum md_context { MD_SYS, MD_TD, MD_VP, MD_CONTEXTS };

enum md_who {
	MD_HOST,
	MD_HOST_DEBUG, /* the host of a debug TD */
	MD_GUEST,
	MD_WHO
};

/* Whose fields, and who asks. What the context does not need is NULL. */
struct md {
	enum md_context context;
	enum md_who who;
	struct call *c;
	const struct tdr *tdr;
	struct tdcs *tdcs;
	struct tdvps *vp;
};

/* MD_HOST or MD_HOST_DEBUG, by the TD's attributes. */
static inline enum md_who md_host(const struct tdcs *tdcs)
{
	return tdcs->attributes & TD_ATTR_DEBUG ? MD_HOST_DEBUG : MD_HOST;
}

/*
 * What the reading leaves do: *value, 0 on failure. If @next, then *next is the id of the next field
 * that may be read, MD_NULL_ID behind the last one and on failure; and MD_NULL_ID as @id gives
 * METADATA_FIRST_FIELD_ID_IN_CONTEXT with the first one.
 * Else METADATA_FIELD_ID_INCORRECT or METADATA_FIELD_NOT_READABLE.
 */
u64 md_read(const struct md *md, u64 id, u64 *value, u64 *next) SL_WARN_UNUSED;

/*
 * Writes the bits @mask of @data; *old is what was there, 0 on failure. METADATA_FIELD_ID_INCORRECT,
 * METADATA_FIELD_NOT_WRITABLE (also if @mask has no writable bit), METADATA_WR_MASK_NOT_VALID,
 * METADATA_FIELD_VALUE_NOT_VALID, or BUSY|METADATA_FIELD if a field of a TD changed in between.
 */
u64 md_write(const struct md *md, u64 id, u64 data, u64 mask, u64 *old) SL_WARN_UNUSED;

#endif
