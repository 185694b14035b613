// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `merkl`: the amount is the sum of all rounds.
contract MerklLeaf {
    function verify(bytes32 root, address user, address token, uint256 amount, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(keccak256(abi.encode(user, token, amount)), proof) == root;
    }
}
