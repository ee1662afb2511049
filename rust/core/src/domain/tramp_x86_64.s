# secretmem_on_stack(f: rdi, arg: rsi, top: rdx, low: rcx, cpu: r8), System V ABI.
# The frame is found through rbp, so unwinding and debuggers pass through the call.
        .text
        .globl  secretmem_on_stack
        .hidden secretmem_on_stack
        .type   secretmem_on_stack, @function
        .p2align 4
secretmem_on_stack:
        .cfi_startproc
        endbr64
        pushq   %rbp
        .cfi_def_cfa_offset 16
        .cfi_offset %rbp, -16
        movq    %rsp, %rbp
        .cfi_def_cfa_register %rbp
        pushq   %rbx
        pushq   %r12
        pushq   %r13
        .cfi_offset %rbx, -24
        .cfi_offset %r12, -32
        .cfi_offset %r13, -40
        movq    %rdx, %rbx              # top
        movq    %rcx, %r12              # low
        movq    %r8, %r13               # cpu
        movq    %rdi, %rax
        movq    %rsi, %rdi
        movq    %rbx, %rsp              # on the other stack from here
        call    *%rax

        testb   $2, %r13b               # AVX-512F
        jz      1f
        vpxorq  %zmm16, %zmm16, %zmm16
        vpxorq  %zmm17, %zmm17, %zmm17
        vpxorq  %zmm18, %zmm18, %zmm18
        vpxorq  %zmm19, %zmm19, %zmm19
        vpxorq  %zmm20, %zmm20, %zmm20
        vpxorq  %zmm21, %zmm21, %zmm21
        vpxorq  %zmm22, %zmm22, %zmm22
        vpxorq  %zmm23, %zmm23, %zmm23
        vpxorq  %zmm24, %zmm24, %zmm24
        vpxorq  %zmm25, %zmm25, %zmm25
        vpxorq  %zmm26, %zmm26, %zmm26
        vpxorq  %zmm27, %zmm27, %zmm27
        vpxorq  %zmm28, %zmm28, %zmm28
        vpxorq  %zmm29, %zmm29, %zmm29
        vpxorq  %zmm30, %zmm30, %zmm30
        vpxorq  %zmm31, %zmm31, %zmm31
        kxorw   %k0, %k0, %k0           # a word operation zeroes the whole mask
        kxorw   %k1, %k1, %k1
        kxorw   %k2, %k2, %k2
        kxorw   %k3, %k3, %k3
        kxorw   %k4, %k4, %k4
        kxorw   %k5, %k5, %k5
        kxorw   %k6, %k6, %k6
        kxorw   %k7, %k7, %k7
1:      testb   $1, %r13b               # AVX
        jz      2f
        vzeroall
        jmp     3f
2:      pxor    %xmm0, %xmm0
        pxor    %xmm1, %xmm1
        pxor    %xmm2, %xmm2
        pxor    %xmm3, %xmm3
        pxor    %xmm4, %xmm4
        pxor    %xmm5, %xmm5
        pxor    %xmm6, %xmm6
        pxor    %xmm7, %xmm7
        pxor    %xmm8, %xmm8
        pxor    %xmm9, %xmm9
        pxor    %xmm10, %xmm10
        pxor    %xmm11, %xmm11
        pxor    %xmm12, %xmm12
        pxor    %xmm13, %xmm13
        pxor    %xmm14, %xmm14
        pxor    %xmm15, %xmm15
3:      xorl    %edx, %edx
        xorl    %esi, %esi
        xorl    %r8d, %r8d
        xorl    %r9d, %r9d
        xorl    %r10d, %r10d
        xorl    %r11d, %r11d
        xorl    %eax, %eax              # and the callee-saved ones hold our values again
        movq    %r12, %rdi              # rsp == top: all below is dead
        movq    %rbx, %rcx
        subq    %r12, %rcx
        cld
        rep stosb
        leaq    -24(%rbp), %rsp         # back to the ordinary stack
        popq    %r13
        popq    %r12
        popq    %rbx
        popq    %rbp
        .cfi_def_cfa %rsp, 8
        ret
        .cfi_endproc
        .size secretmem_on_stack, .-secretmem_on_stack
