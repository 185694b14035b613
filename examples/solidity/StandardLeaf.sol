// SPDX-License-Identifier: MIT
pragma solidity ^0.8.20;

import {MerkleProof} from "./MerkleProof.sol";

/// A leaf of `standard-v1` over (address, uint256): hashed twice, so that no node of the tree is a leaf.
contract StandardLeaf {
    function verify(bytes32 root, address account, uint256 amount, bytes32[] calldata proof)
        external
        pure
        returns (bool)
    {
        return MerkleProof.rootOf(leafOf(account, amount), proof) == root;
    }

    /// Several payments with one proof.
    function verifyMany(
        bytes32 root,
        address[] calldata accounts,
        uint256[] calldata amounts,
        bytes32[] calldata proof,
        bool[] calldata flags
    ) external pure returns (bool) {
        bytes32[] memory leaves = new bytes32[](accounts.length);
        for (uint256 i = 0; i < accounts.length; i++) {
            leaves[i] = leafOf(accounts[i], amounts[i]);
        }
        return MerkleProof.rootOfMany(leaves, proof, flags) == root;
    }

    function leafOf(address account, uint256 amount) private pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, amount))));
    }
}
