// SPDX-License-Identifier: MIT
/* Measurement of a TD. Layer: module. */
#include "module/measure.h"

#include <string.h>

/* An extension record: a name, padded with zeros, and a GPA. */
#define MR_RECORD      128
#define MR_RECORD_NAME 16

void mrtd_begin(struct call *c, struct tdcs *tdcs)
{
	if (c->m->cfg.measurement)
		sha384_begin(&tdcs->mrtd_ctx);
}

void mrtd_event(struct call *c, struct tdcs *tdcs, const char *name, u64 gpa)
{
	u8 record[MR_RECORD] = { 0 };
	size_t size = strlen(name);

	if (!c->m->cfg.measurement)
		return;
	SL_BUG_ON(size > MR_RECORD_NAME);
	memcpy(record, name, size);
	memcpy(record + MR_RECORD_NAME, &gpa, sizeof(gpa));
	sha384_add(&tdcs->mrtd_ctx, record, sizeof(record));
}

void mrtd_data(struct call *c, struct tdcs *tdcs, const void *data)
{
	u8 chunk[MR_CHUNK] = { 0 };

	if (!c->m->cfg.measurement)
		return;
	if (data)
		memcpy(chunk, data, sizeof(chunk));
	sha384_add(&tdcs->mrtd_ctx, chunk, sizeof(chunk));
}

void mrtd_end(struct call *c, struct tdcs *tdcs)
{
	if (c->m->cfg.measurement)
		sha384_end(&tdcs->mrtd_ctx, tdcs->mrtd);
}

void rtmr_extend(struct call *c, struct tdcs *tdcs, u32 index, const u8 data[SHA384_SIZE])
{
	u8 both[2 * SHA384_SIZE], digest[SHA384_SIZE];

	if (!c->m->cfg.measurement)
		return;
	memcpy(both, tdcs->rtmr[index], SHA384_SIZE);
	memcpy(both + SHA384_SIZE, data, SHA384_SIZE);
	sha384_of(both, sizeof(both), digest);
	memcpy(tdcs->rtmr[index], digest, sizeof(digest));
}
