/* SPDX-License-Identifier: MIT */
/* The host's policy in reports. Layer: report. */
#ifndef SL_REPORT_POLICY_REPORT_H
#define SL_REPORT_POLICY_REPORT_H

#include <jansson.h>
#include <stdio.h>

#include "scenario/scenario.h"

struct policy_text {
	char text[512];
};

/* ", policy kvm-6.19 with track no-kick"; "" on a lock word. */
struct policy_text policy_text(const struct scenario *s);
/*
 * "  module 1.5.01 published, policy kvm-6.19, 2 lanes", on as many lines as it takes: what a scenario is
 * about, in every report on it.
 */
void policy_print_world(FILE *f, const struct scenario *s, u32 lanes);
/* Sets "policy" (null on a lock word) and "set", an object of what differs from it. */
void policy_to_json(json_t *o, const struct scenario *s);

#endif
