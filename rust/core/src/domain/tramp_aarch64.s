// secretmem_on_stack(f: x0, arg: x1, top: x2, low: x3, cpu: x4), AAPCS64.
// The frame is found through x29, so unwinding and debuggers pass through the call.
        .text
        .globl  secretmem_on_stack
        .hidden secretmem_on_stack
        .type   secretmem_on_stack, %function
        .p2align 4
secretmem_on_stack:
        .cfi_startproc
        hint    #34                     // bti c
        stp     x29, x30, [sp, #-48]!
        .cfi_def_cfa_offset 48
        .cfi_offset x29, -48
        .cfi_offset x30, -40
        mov     x29, sp
        .cfi_def_cfa_register x29
        stp     x19, x20, [sp, #16]
        .cfi_offset x19, -32
        .cfi_offset x20, -24
        mov     x19, x2                 // top
        mov     x20, x3                 // low
        mov     x9, x0
        mov     x0, x1
        mov     sp, x19                 // on the other stack from here
        blr     x9

        movi    v0.2d, #0
        movi    v1.2d, #0
        movi    v2.2d, #0
        movi    v3.2d, #0
        movi    v4.2d, #0
        movi    v5.2d, #0
        movi    v6.2d, #0
        movi    v7.2d, #0
        // v8 to v15: the callee kept the low halves, which are the caller's; the high halves are
        // nobody's. Moving a D register onto itself zeroes the high half.
        fmov    d8, d8
        fmov    d9, d9
        fmov    d10, d10
        fmov    d11, d11
        fmov    d12, d12
        fmov    d13, d13
        fmov    d14, d14
        fmov    d15, d15
        movi    v16.2d, #0
        movi    v17.2d, #0
        movi    v18.2d, #0
        movi    v19.2d, #0
        movi    v20.2d, #0
        movi    v21.2d, #0
        movi    v22.2d, #0
        movi    v23.2d, #0
        movi    v24.2d, #0
        movi    v25.2d, #0
        movi    v26.2d, #0
        movi    v27.2d, #0
        movi    v28.2d, #0
        movi    v29.2d, #0
        movi    v30.2d, #0
        movi    v31.2d, #0
        mov     x0, xzr
        mov     x1, xzr
        mov     x2, xzr
        mov     x3, xzr
        mov     x4, xzr
        mov     x5, xzr
        mov     x6, xzr
        mov     x7, xzr
        mov     x8, xzr
        mov     x10, xzr
        mov     x11, xzr
        mov     x12, xzr
        mov     x13, xzr
        mov     x14, xzr
        mov     x15, xzr
        mov     x16, xzr
        mov     x17, xzr
        mov     x9, x20                 // sp == top: all below is dead
1:      cmp     x9, x19
        b.hs    2f
        stp     xzr, xzr, [x9], #16
        b       1b
2:      mov     x9, xzr
        mov     sp, x29                 // back to the ordinary stack
        ldp     x19, x20, [sp, #16]
        ldp     x29, x30, [sp], #48
        .cfi_def_cfa sp, 0
        ret
        .cfi_endproc
        .size secretmem_on_stack, .-secretmem_on_stack
