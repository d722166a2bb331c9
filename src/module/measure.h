/* SPDX-License-Identifier: MIT */
/*
 * Measurement of a TD: MRTD while it is built, RTMRs while it runs (spec: "MR.REPORT / RTMR.EXTEND").
 * With sl_machine_config.measurement off all of it reads as zero and no digest is computed.
 * Layer: module, private.
 */
#ifndef SL_MODULE_MEASURE_H
#define SL_MODULE_MEASURE_H

#include "module/call.h"

#define MR_CHUNK 256

/*
 * MRTD, under TDR exclusive. begin() at TDH.MNG.INIT; an event is a 128-byte record of a name and a
 * GPA; data() adds the MR_CHUNK bytes at @data, zeros for NULL; end() at TDH.MR.FINALIZE.
 */
void mrtd_begin(struct call *c, struct tdcs *tdcs);
void mrtd_event(struct call *c, struct tdcs *tdcs, const char *name, u64 gpa);
void mrtd_data(struct call *c, struct tdcs *tdcs, const void *data);
void mrtd_end(struct call *c, struct tdcs *tdcs);

/* RTMR @index := SHA-384(RTMR @index || @data), under the RTMR lock exclusive. @data on the stack. */
void rtmr_extend(struct call *c, struct tdcs *tdcs, u32 index, const u8 data[SHA384_SIZE]);

#endif
